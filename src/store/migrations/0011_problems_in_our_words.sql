-- What a provider said of a failure may repeat words of a prompt, or a key: of answers that failed only what happened is kept.

update messages set problem = substr(problem, 1, instr(problem, ': ') - 1)
where instr(problem, ': ') > 0 and (problem like 'the model%' or problem like 'the answer was cut off before its end: %');
