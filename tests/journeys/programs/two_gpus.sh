# On GPUs without ACCELERATE_USE_CPU; the config says how many.
accelerate launch --config_file ddp.yaml --num_processes 2 -m diffmidi_core run --data songs --config quick.json --out runs/two
diffmidi sample runs/two --render none
