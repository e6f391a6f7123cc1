using System.Diagnostics.CodeAnalysis;

namespace TorBalancer.Fuzz;

/// <summary>Tries the files of a folder, in this process.</summary>
internal static class Replay
{
    /// <returns>0, or 1 when something failed.</returns>
    [SuppressMessage("Design", "CA1031", Justification = "Whatever a parser lets out is what is looked for.")]
    public static int Run(FuzzTarget target, string folder)
    {
        var files = Corpus.Read(folder);
        int failed = 0;
        foreach (var (name, bytes) in files)
        {
            try
            {
                target.Run(bytes);
            }
            catch (Exception failure)
            {
                failed++;
                Console.WriteLine($"{name}: {failure}");
            }
        }

        Console.WriteLine($"{target.Name}: {files.Count} inputs, {failed} failed");
        return failed == 0 ? 0 : 1;
    }
}
