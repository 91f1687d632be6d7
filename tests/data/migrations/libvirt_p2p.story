# Peer to peer: the daemon connects, the guest is announced at the destination first; figures of the source only.
0     process web uuid=u1 incoming
0     notice web ARRIVING uuid=u1
100   libvirt web setup uuid=u1 way=in total=100
400   open a web 49152>40000 accepted
400   pace a receives=100M
600   libvirt web active uuid=u1 way=in total=600
620   expect web incoming phase=memory_copy start=0 device=eth0
2400  close a
2450  notice web RESUME uuid=u1
2460  libvirt web device uuid=u1 way=in total=2460
2500  notice web COMPLETED uuid=u1 way=in total=2480 setup=300 downtime=80
2700  expect web incoming result=completed setup=300 memory_copy=2100 state_transfer=80 pause=80 transferred=200M~1M
2700  news began=1 ended=1 carried=200M~1M
