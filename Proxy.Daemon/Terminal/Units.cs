using System.Globalization;

namespace TorBalancer.Daemon.Terminal;

/// <summary>Numbers with their units, in few characters.</summary>
internal static class Units
{
    private static readonly string[] Binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>812 B, 1.2 MiB.</summary>
    public static string Bytes(double bytes)
    {
        int unit = 0;
        while (bytes >= 999.5 && unit < Binary.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }

        string number = bytes.ToString(unit == 0 || bytes >= 99.95 ? "0" : "0.0", CultureInfo.InvariantCulture);
        return $"{number} {Binary[unit]}";
    }

    /// <summary>350 ms, 12.5 s, 3m 12s, 5h 03m, 4d 07h.</summary>
    public static string Time(long milliseconds) => milliseconds switch
    {
        < 1000 => Text($"{milliseconds} ms"),
        < 10_000 => Text($"{milliseconds / 1000.0:0.0} s"),
        < 60_000 => Text($"{milliseconds / 1000} s"),
        < 3_600_000 => Text($"{milliseconds / 60_000}m {milliseconds / 1000 % 60:00}s"),
        < 86_400_000 => Text($"{milliseconds / 3_600_000}h {milliseconds / 60_000 % 60:00}m"),
        _ => Text($"{milliseconds / 86_400_000}d {milliseconds / 3_600_000 % 24:00}h"),
    };

    /// <summary>"1 worker", "3 workers".</summary>
    public static string Count(long number, string noun) => Text($"{number} {noun}{(number == 1 ? "" : "s")}");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
