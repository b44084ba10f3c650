// greetings greets people by how often it has greeted them before, which it keeps
// in a key-value store.
import { open } from "wasi:keyvalue/store@0.2.0-draft";

// The functions of the interface that the world exports. What they throw is the
// error of their result.
export const greetings = {
  greet(name) {
    if (name.trim() === "") throw "whom?";
    return attempt(() => {
      const people = open("");
      const times = number(people.get(name)) + 1;
      people.set(name, digits(times));
      return times === 1 ? `Nice to meet you, ${name}!` : `Hello again, ${name}: this is time ${times}.`;
    });
  },

  forget(name) {
    attempt(() => open("").delete(name));
  },
};

// attempt does something with the store, whose errors are variants.
function attempt(something) {
  try {
    return something();
  } catch (e) {
    throw e.payload ? `${e.payload.tag} ${e.payload.val ?? ""}`.trim() : String(e);
  }
}

// Values are bytes: here, the digits of a number.
const number = (value) => Number(String.fromCharCode(...(value ?? [])));
const digits = (n) => Uint8Array.from(String(n), (c) => c.charCodeAt(0));
