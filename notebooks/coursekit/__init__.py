"""The course's own tool works on the notebooks as files. ``make`` calls it through ``course.py``.

``files``      where things lie; notebooks read and written
``comments``   comments in code cells that speak to pages
``figures``    the pictures among the outputs
``alt``        their alt texts
``folding``    solutions folded behind their exercise
``pages``      a notebook as an HTML page
``addresses``  of this copy of the course, and where its notebooks can be opened
``generated``  badges and install cells from ``course.yml``, the README's tables from records
``tables``     the result tables of the README and of ``make run``
``running``    execute a notebook; store its outputs, records, times and memory
``memory``     the memory that a notebook takes
``student``    versions without solutions, and how to publish them
``book``       the sources of the website, and Sphinx
``slides``     decks of tagged cells
``scripts``    MathJax and reveal.js, laid beside pages
``instructor`` pages for those who teach: timing, usual mistakes, rubrics, quizzes
``assignment`` exercises as an assignment for Otter-Grader
``quizzes``    the six questions of a notebook, in the notebook and in the book
``paper``      an invented paper and its key, for notebook 13
``spelling``   codespell on what is read and what is code
``glossary``   the technical words and where pages use them

It belongs to the makers of the course; students need ``hqnn_utils`` only.
"""
