0     process web
0     event web setup at=0
0     open a web 40000>49152
0     pace a sends=100M
20    event web active at=20
100   qmp web active way=out total=100 setup=20 transferred=8M
1000  event web STOP at=1000
1010  event web postcopy-active at=1010
1100  qmp web postcopy-active way=out total=1100 setup=20 transferred=110M
1120  expect web outgoing phase=postcopy pause=10
2000  event web completed at=2000
2010  close a
2020  qmp web completed way=out total=2000 setup=20 downtime=12 transferred=200M
2100  expect web outgoing result=completed setup=20 memory_copy=978 state_transfer=12 postcopy=990 pause=12
2400  news began=1 ended=1
