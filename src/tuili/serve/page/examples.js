// Example questions, by what a model writes. Those of models that write steps are of the kinds that the shipped model was
// trained on, in the languages that it reads.
export const examples = {
  steps: [
    "What is 48 + 27 * 3?",
    "A box is 14 cm long, 6 cm wide and 9 cm high. What is the area of its surface?",
    "Find the largest number that divides both 153 and 697.",
    "一支笔3元，5支笔多少元？",
  ],
  prose: [
    "What is the capital of France?",
    "Explain in two sentences why the sky is blue.",
    "Write a haiku about rain.",
    "用一句话说明为什么会下雨。",
  ],
};
