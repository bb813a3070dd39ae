"""`python -m bot`, installed as `parley`."""

from bot.cli import main

if __name__ == "__main__":
    main()
