"""What the pages of experiments share: findings, and the command that runs them and writes their page."""
