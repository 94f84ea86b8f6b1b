"""What reviewers see of the stages' tables: the numbers in metrics/ and the lines under plots/.

Each function takes typed rows and returns plain data. Nothing is measured or decided here.
"""
