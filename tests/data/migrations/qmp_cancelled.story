0     process web
0     guest web runs
0     open a web 40000>49152
0     pace a sends=100M
100   qmp web active way=out total=100 setup=5 transferred=10M
1000  event web cancelling at=990
1000  close a
1020  event web cancelled at=1015
1050  qmp web cancelled way=out total=1015 transferred=99M
1100  expect web outgoing result=cancelled end=1015 setup=5~95 pause=missing transferred=99M
1300  news began=1 ended=1
9000  expect web outgoing result=cancelled
