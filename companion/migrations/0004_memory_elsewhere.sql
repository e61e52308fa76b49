-- Threads, sessions and their messages have a database of their own (migrations/memory).
DROP TABLE messages;
DROP TABLE turns;
DROP TABLE threads;
DROP TABLE forgotten_turns;
