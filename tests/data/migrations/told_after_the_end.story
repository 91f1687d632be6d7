# Words after the end change figures only; the result and its time stay.
0     process web
0     guest web runs
0     open a web 40000>49152
0     pace a sends=100M
100   qmp web active way=out total=100 setup=5 transferred=10M
1000  close a
1000  event web completed at=1000
1100  event web STOP at=950
1200  event web failed at=1200
1300  qmp web completed way=out total=1000 setup=5 downtime=50 transferred=100M
1400  expect web outgoing result=completed end=1000 pause=50 memory_copy=945
2000  qmp web completed way=out total=1000 setup=5 downtime=50 transferred=100M
2100  run web postmigrate
5000  qmp web failed way=out
9000  qmp web completed way=out total=1000 setup=5 downtime=50 transferred=100M
9100  expect web outgoing result=completed end=1000 pause=50
9100  news began=1 ended=1 carried=100M~1M
