import{connect as e}from"./crier.js";export{e as connect};
//# sourceMappingURL=crier-shared.js.map
