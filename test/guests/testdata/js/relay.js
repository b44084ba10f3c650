// Hands every value on: it arrives from a caller, becomes a JavaScript value,
// and leaves for the component below; and back.
//
// A program that computed with an s64 parameter would have to call
// BigInt.asIntN(64, v) first: componentize-js gives it, and takes it back, as if
// unsigned. Within lists and records it is right.
import * as below from 'example:types/values';

export const values = {...below};
