# The same, but the guest runs on.
0     process web
0     guest web runs
1000  open a web 40000>49152
1000  pace a sends=100M receives=100K
2000  close a
4000  expect web outgoing result=failed end=2000 pause=missing
4100  news began=1 ended=1
