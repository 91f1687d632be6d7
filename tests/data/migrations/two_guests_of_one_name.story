# Two guests may have one name; each one's flow is its own, and one that moves does not end the other.
0     process web as=one uuid=u1
0     process web as=two uuid=u2
1000  open a one 40000>49152
1000  pace a sends=100M
1000  open b two 40001>49153
1000  pace b sends=50M
1100  qmp one active way=out total=100 setup=5 transferred=10M
1100  qmp two active way=out total=100 setup=5 transferred=5M
2000  close a
2010  qmp one completed way=out total=1010 setup=5 downtime=20 transferred=101M
2100  news began=2
2300  news began=2 ended=1
3000  close b
3010  libvirt web completed uuid=u2 way=out total=2010 setup=5 downtime=30 transferred=102M
3500  news began=2 ended=2 carried=200M~2M
3500  expect web outgoing told=102M result=completed
