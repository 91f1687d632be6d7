# The source's process is killed in the copy. Its connection is gone at once, the list is read a while later.
0     process web
0     process flow
0     guest flow runs
1000  open a web 40000>49152
1000  pace a sends=100M
1000  open b flow 40001>49153
1000  pace b sends=100M
1100  qmp web active way=out total=100 setup=5 transferred=10M remaining=900M
2000  qmp web active way=out total=1000 setup=5 transferred=100M remaining=800M
2020  dies web
2020  close a
2020  dies flow
2020  close b
2900  gone web
2900  gone flow
2940  expect web outgoing result=failed end=2020~20
2940  expect flow outgoing result=failed end=2020~20
7000  news began=2 ended=2
