# The process ends between `completed` and its figures.
0     process web
0     open a web 40000>49152
0     pace a sends=100M
100   qmp web active way=out total=100 setup=5 transferred=10M remaining=95M
1000  qmp web active way=out total=1000 setup=5 transferred=100M remaining=1M
1010  run web finish-migrate
1020  qmp web completed way=out total=0 transferred=101M
1030  close a
1040  dies web
1900  gone web
1940  expect web outgoing result=completed end=1020~20 pause=missing
4100  news began=1 ended=1
