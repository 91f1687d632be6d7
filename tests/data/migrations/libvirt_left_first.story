# The guest has left before its last figures are told.
0     process web uuid=u1
1000  libvirt web active uuid=u1 way=out total=0 setup=0 transferred=1M
1000  open a web 40000>49152
1000  pace a sends=100M
2000  notice web STOP uuid=u1
2050  close a
2060  notice web LEFT uuid=u1
2080  notice web COMPLETED uuid=u1 way=out total=1050 setup=10 downtime=60 transferred=105M
2900  gone web
2940  expect web outgoing result=completed end=2060 setup=10 memory_copy=980 state_transfer=60 pause=60 told=105M
6000  news began=1 ended=1
