# The monitor and libvirt tell of the same migration; libvirt still says that it is on when the monitor has told the end.
0     process web uuid=u1
0     event web setup at=0
0     open a web 40000>49152
0     pace a sends=100M
20    event web active at=10
100   libvirt web active uuid=u1 way=out total=100 setup=10 transferred=8M
110   qmp web active way=out total=110 setup=10 transferred=11M
120   libvirt web active uuid=u1 way=out total=120 setup=10 transferred=9M
1000  event web STOP at=1000
1040  event web completed at=1040
1040  close a
1045  libvirt web device uuid=u1 way=out total=1040 setup=10 transferred=100M
1050  qmp web completed way=out total=1040 setup=10 downtime=40 transferred=101M
1060  libvirt web device uuid=u1 way=out total=1055 setup=10 transferred=100M
1100  notice web COMPLETED uuid=u1 way=out total=1050 setup=10 downtime=45 transferred=101M
1120  notice web LEFT uuid=u1
9000  expect web outgoing result=completed end=1040 told=101M pause=40~5
9000  news began=1 ended=1
