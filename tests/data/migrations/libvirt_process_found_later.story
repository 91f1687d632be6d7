# libvirt tells of a domain whose process was not yet listed: its flows join the same migration.
0     notice web ARRIVING
200   libvirt web active way=in
300   process web incoming uuid=uuid-of-web
400   open a web 49152>40000 accepted
400   pace a receives=100M
1000  expect web incoming phase=memory_copy device=eth0
1400  close a
1410  notice web RESUME
1420  notice web COMPLETED way=in total=1200 setup=10 downtime=50 transferred=99M
2000  news began=1 ended=1 carried=100M~1M
2000  expect web incoming result=completed pause=50
