from sketchseek.cli import main

main()
