/** What stands around every page. */
export const frame = {
  opening: "Opening the list…",
  noAnswer: "The server does not answer.",
  tryAgain: "Try again",
};
