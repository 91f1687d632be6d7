# QEMU 8.1 and later are in `setup` as soon as they listen, hours before anybody comes.
0     process web incoming monitor
0     event web setup at=0
0     run web inmigrate
10    qmp web setup way=in
5000  absent web incoming
5000  wanted nobody
8000  open a web 49152>40000 accepted
8000  pace a receives=100M
8050  qmp web setup way=in
8100  event web active at=8060
8200  expect web incoming phase=memory_copy start=8000~20
9000  close a
9010  event web RESUME at=9005
9010  event web completed at=9008
9100  expect web incoming result=completed end=9005
9100  news began=1
# The guest that came fails to be a source, and tries again.
20000 event web setup at=20000
20010 event web failed at=20010
20020 qmp web failed way=out
20100 expect web outgoing result=failed start=20000 end=20010 memory=missing
