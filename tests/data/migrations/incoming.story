# The destination tells little: a status, then the guest runs.
0     process web incoming
0     run web inmigrate
1000  open a web 49152>40000 accepted via=eth1
1000  pace a receives=100M sends=500K
1100  qmp web active way=in
1120  expect web incoming phase=memory_copy start=1000~20 device=eth1 channels=1
3000  close a
3010  event web RESUME at=3005
3010  event web completed at=3008
3020  qmp web completed way=in
3050  expect web incoming result=completed end=3005 transferred=200M~1M told=missing pause=missing
3300  news began=1 ended=1 carried=200M~1M
3300  absent web outgoing
# It goes on from here to another host.
9000  open b web 41000>49152
9000  pace b sends=100M
9100  qmp web active way=out total=100 setup=5 transferred=9M
9140  expect web outgoing phase=memory_copy peer=10.0.0.2
9140  expect web incoming result=completed
