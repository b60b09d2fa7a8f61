export declare function recall(key: string): string | undefined;
export declare function remember(key: string, name: string): void;
