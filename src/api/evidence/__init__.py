"""What somebody takes away to check elsewhere: a case, its proof, and what checks it."""
