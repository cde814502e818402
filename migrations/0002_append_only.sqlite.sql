-- Append-only on SQLite: what is written stays as it is, and a term's row only grows.

CREATE TRIGGER change_refuses_update BEFORE UPDATE ON change
BEGIN
    SELECT RAISE(ABORT, 'change is append-only');
END;

CREATE TRIGGER change_refuses_delete BEFORE DELETE ON change
BEGIN
    SELECT RAISE(ABORT, 'change is append-only');
END;

CREATE TRIGGER record_refuses_update BEFORE UPDATE ON record
BEGIN
    SELECT RAISE(ABORT, 'record is append-only');
END;

CREATE TRIGGER record_refuses_delete BEFORE DELETE ON record
BEGIN
    SELECT RAISE(ABORT, 'record is append-only');
END;

CREATE TRIGGER terms_refuses_update BEFORE UPDATE ON terms
BEGIN
    SELECT RAISE(ABORT, 'terms is append-only');
END;

CREATE TRIGGER terms_refuses_delete BEFORE DELETE ON terms
BEGIN
    SELECT RAISE(ABORT, 'terms is append-only');
END;

CREATE TRIGGER term_refuses_delete BEFORE DELETE ON term
BEGIN
    SELECT RAISE(ABORT, 'term only grows');
END;

CREATE TRIGGER term_only_grows BEFORE UPDATE ON term
WHEN NEW.cluster <> OLD.cluster OR NEW.epoch < OLD.epoch OR NEW.head < OLD.head OR NEW.record_head < OLD.record_head
BEGIN
    SELECT RAISE(ABORT, 'term only grows');
END;
