-- An answer is also asked for by its run: who goes on from a response knows no other id.

create index messages_by_run on messages (run);
