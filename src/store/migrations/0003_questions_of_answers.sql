-- Which question an answer answers: two may be asked at once, and answers come when they come.

alter table messages add column question text references messages (id) on delete set null;

-- Without it, removing a conversation looks through all messages for each of its own.
create index messages_by_question on messages (question);

update messages set question = (
    select before.id from messages as before
    where before.conversation = messages.conversation and before.position = messages.position - 1
    and before.role = 'user'
) where role = 'assistant';
