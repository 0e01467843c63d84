-- What became of an answer's sentences: a list as on the wire; none once words of the answer were erased.

alter table messages add column sentences text;
