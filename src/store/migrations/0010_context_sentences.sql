-- What a model wrote of each chunk of a document as it is now; null where it was asked and wrote nothing, or was not asked yet.
create table context_sentences (
    collection text not null,
    document text not null,
    ordinal integer not null,
    -- Of all that the model was given, and of its route.
    key text not null,
    sentence text,
    primary key (collection, document, ordinal)
) strict;

create index context_sentences_by_key on context_sentences (collection, key);
create index context_sentences_missing on context_sentences (collection, document) where sentence is null;
