# libvirt connects, hands the socket over, and speaks of the domain by name.
0     process web uuid=u1
1000  libvirt web setup uuid=u1 way=out total=0
1100  open a web 40000>49152
1100  pace a sends=100M
1200  libvirt web active uuid=u1 way=out total=200 setup=90 memory=256M transferred=8M remaining=200M
1220  expect web outgoing phase=memory_copy hypervisor=qemu start=1000 device=eth0 told=8M
3000  notice web STOP uuid=u1
3050  libvirt web device uuid=u1 way=out total=2050 setup=90 transferred=200M
3080  expect web outgoing phase=state_transfer
3100  close a
3150  notice web COMPLETED uuid=u1 way=out total=2150 setup=90 downtime=140 transferred=205M
3160  notice web LEFT uuid=u1
3170  dies web
3900  gone web
3940  expect web outgoing result=completed end=3150 setup=90 memory_copy=1920 state_transfer=140 pause=140 told=205M
4000  news began=1 ended=1
