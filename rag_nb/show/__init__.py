"Answers, hits and trainings to look at."
