# about: every NIC model with an address and traffic: counters, rings, channels, pause, speed, driver
make_far
n=0
for nic in $NICS; do n=$((n + 1)); address "$nic" $n; done
start_miglink
for i in $(seq $n); do reachable "$i"; send "$i" 4; receive "$i" 4; done
say "traffic has stopped"
snap quiet
