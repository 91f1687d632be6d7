# Somebody looks whether the port is open: a connection that carries nothing is no migration.
0     process web incoming
1000  open a web 49152>40000 accepted
1100  close a
9000  absent web incoming
9000  wanted nobody
9000  news began=0 ended=0
