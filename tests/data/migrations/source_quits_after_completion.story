# A manager ends the source's process once the guest runs elsewhere; nobody speaks.
0     process web
0     guest web runs
1000  open a web 40000>49152
1000  pace a sends=100M
2000  guest web stands
2000  close a
2120  dies web
2500  gone web
2540  expect web outgoing result=completed end=2000
3000  news began=1 ended=1
