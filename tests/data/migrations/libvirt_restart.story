# The daemon is started again in the middle, and does not know the job any more: the flow carries on.
0     process web uuid=u1
0     guest web runs
1000  libvirt web active uuid=u1 way=out total=0 transferred=1M
1000  open a web 40000>49152
1000  pace a sends=100M
2000  libvirt web none uuid=u1
2500  libvirt web none uuid=u1
6000  expect web outgoing result=none phase=memory_copy
6000  guest web stands
6100  close a
9300  expect web outgoing result=completed end=6100
9500  news began=1 ended=1
