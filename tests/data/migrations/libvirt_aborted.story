0     process web uuid=u1
1000  libvirt web active uuid=u1 way=out total=0 transferred=1M
1000  open a web 40000>49152
1000  pace a sends=100M
2000  close a
2100  libvirt web cancelled uuid=u1 way=out
2150  expect web outgoing result=cancelled end=2100
3000  news began=1 ended=1
