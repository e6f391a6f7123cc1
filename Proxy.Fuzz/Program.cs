using SharpFuzz;

namespace TorBalancer.Fuzz;

/// <summary>
/// <code>
/// Proxy.Fuzz targets                     prints their names and the longest input of each
/// Proxy.Fuzz TARGET                      runs under afl-fuzz; by itself it tries standard input once
/// Proxy.Fuzz replay TARGET FOLDER        tries every file of a folder in this process, and says which of them fail
/// Proxy.Fuzz seeds FOLDER                writes the first inputs of those targets that need keys
/// </code>
/// </summary>
internal static class Program
{
    private const int WrongUsage = 2;

    public static int Main(string[] args)
    {
        switch (args)
        {
            case ["targets"]:
                foreach (var target in FuzzTargets.All)
                    Console.WriteLine($"{target.Name} {target.MaxLength}");
                return 0;
            case ["seeds", var folder]:
                Seeds.Write(folder);
                return 0;
            case ["replay", var name, var folder] when FuzzTargets.Find(name) is { } target:
                return Replay.Run(target, folder);
            case [var name] when FuzzTargets.Find(name) is { } target:
                Fuzz(target);
                return 0;
            default:
                Console.Error.WriteLine("Proxy.Fuzz targets | TARGET | replay TARGET FOLDER | seeds FOLDER");
                return WrongUsage;
        }
    }

    // A process of its own does the work, so that what kills it (no memory, no stack, no end) is a crash like any other.
    private static void Fuzz(FuzzTarget target) => Fuzzer.OutOfProcess.Run(stream =>
    {
        using var input = new MemoryStream();
        stream.CopyTo(input);
        target.Run(input.ToArray());
    });
}
