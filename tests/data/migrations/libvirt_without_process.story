# A daemon tells of a domain whose process cannot be seen from here.
1000  libvirt far active way=out total=100 setup=10 memory=1G transferred=9M remaining=900M
1040  expect far outgoing hypervisor=libvirt phase=memory_copy start=900 transferred=9M device=missing transport=missing
1040  wanted nobody
2000  notice far COMPLETED way=out total=1100 setup=10 downtime=40 transferred=100M
2040  expect far outgoing result=completed memory_copy=1050 state_transfer=40 told=100M
2400  news began=1 ended=1 carried=0
# Its process is found only now, and it moves again.
3000  process far uuid=uuid-of-far
3100  open a far 40000>49152
3100  pace a sends=100M
3200  libvirt far active way=out total=100 setup=10 transferred=9M
3300  news began=2 ended=1
3300  expect far outgoing hypervisor=qemu device=eth0
