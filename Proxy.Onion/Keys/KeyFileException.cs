namespace TorBalancer.Onion.Keys;

/// <summary>A key file cannot be used. The message names the file and what is wrong, never what is in it.</summary>
internal sealed class KeyFileException(string path, string problem) : Exception($"{path}: {problem}");
