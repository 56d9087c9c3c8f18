/** Questions before something is done. `confirm()` resolves true when the person agrees; one question at a time. */
export interface Question {
  readonly title: string;
  /** What will happen, and to how many. */
  readonly body: string;
  /** A fixed-width line below: a host, a command. */
  readonly code?: string;
  /** The button: a verb, and the number: `Delete 3 messages`. */
  readonly confirm: string;
  readonly destructive?: boolean;
  /** The person types this first: a production server's name. */
  readonly typed?: string;
}

class Confirmation {
  question = $state.raw<Question | undefined>(undefined);
  #answer: ((agreed: boolean) => void) | undefined;

  ask(question: Question): Promise<boolean> {
    this.#answer?.(false);
    this.question = question;
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  answer(agreed: boolean): void {
    this.question = undefined;
    this.#answer?.(agreed);
    this.#answer = undefined;
  }
}
export const confirmation = new Confirmation();

export function confirm(question: Question): Promise<boolean> {
  return confirmation.ask(question);
}
