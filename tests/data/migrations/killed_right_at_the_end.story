# A manager kills the source at once when the guest, which the monitor saw stopped, runs elsewhere.
0     process web
0     open a web 40000>49152
0     pace a sends=100M
100   qmp web active way=out total=100 setup=5 transferred=10M
1000  run web finish-migrate
1050  close a
1050  dies web
1900  gone web
1940  expect web outgoing result=completed end=1040~20
5000  news began=1 ended=1
