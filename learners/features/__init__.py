"""One definition of every ranking feature, imported by training and by serving."""
