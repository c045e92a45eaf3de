#!/bin/sh
echo "trains with $*, $OMP_NUM_THREADS thread"
