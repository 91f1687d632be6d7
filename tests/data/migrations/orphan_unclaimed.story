# Nobody claims it, or claims another number of bytes.
0     process web
1000  open a nobody 40000>49152
1000  pace a sent=50M received=10K busy=300
1000  close a
1100  qmp web completed way=out total=320 setup=10 downtime=40 transferred=90M
3000  wanted web
9000  absent web outgoing
9000  wanted nobody
9000  news began=0 ended=0 carried=0
