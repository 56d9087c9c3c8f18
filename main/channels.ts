/** The two names that cross from the page to main and back; everything else is the api contract, over the port. */
export const requestPort = 'postrider:request-port';
/** Both the IPC channel and the window message that carry the port. */
export const portMessage = 'postrider:port';
