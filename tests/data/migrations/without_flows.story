# RDMA: the hypervisor tells of a migration, and no connection of TCP carries it.
0     process web
0     event web setup at=0
20    event web active at=20
1000  qmp web active way=out total=1000 setup=20 memory=1G transferred=500M remaining=500M
1020  expect web outgoing phase=memory_copy transport=missing channels=missing peer=missing sockets=missing told=500M
9000  expect web outgoing phase=memory_copy
9010  event web completed at=9005
9020  qmp web completed way=out total=9000 setup=20 downtime=80 transferred=4G
9040  expect web outgoing result=completed memory_copy=8900 state_transfer=80 told=4G
9040  news began=1 ended=1 carried=0
