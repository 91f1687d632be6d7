# A monitor that is borrowed: it is asked once there is a flow, and gives no events.
0     process web
0     guest web runs
1000  open a web 40000>49152
1000  pace a sends=100M receives=100K
1000  absent web outgoing
1020  wanted web
1100  qmp web active way=out total=150 setup=10 memory=256M transferred=9M remaining=240M
1120  expect web outgoing phase=memory_copy start=950 result=none end=missing hypervisor=qemu device=eth0 wire=eth0
1120  expect web outgoing peer=10.0.0.2 transport=tcp channels=1 memory=256M remaining=240M pause=missing
1120  news began=1 ended=0
2000  expect web outgoing rate=100M~2M sockets=100M~3M told=9M
3000  qmp web active way=out total=2050 setup=10 transferred=205M remaining=10M
3040  run web finish-migrate
3100  expect web outgoing phase=state_transfer
3100  wanted web!
3100  guest web stands
3150  qmp web completed way=out total=2200 setup=10 downtime=120 transferred=216M remaining=0
3160  close a
3200  expect web outgoing phase=none result=completed start=950 end=3150 setup=10 memory_copy=2070 state_transfer=120 postcopy=0 pause=120
3200  expect web outgoing transferred=216M told=216M sockets=216M~1M rate=missing remaining=0
3200  news ended=0
3400  news began=1 ended=1 carried=216M~1M
3400  wanted nobody
9000  news began=1 ended=1 carried=216M~1M
