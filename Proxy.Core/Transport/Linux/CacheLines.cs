using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// Asks the processor for memory that will be touched soon. With a thousand connections what one of them consists of has left the
/// near caches by its next event, and each object on the way would be waited for in turn.
/// </summary>
internal static unsafe class CacheLines
{
    private const int Length = 64;

    /// <summary>False: there is no such instruction that the runtime would know, and nothing happens.</summary>
    public static bool IsSupported => Sse.IsSupported;

    /// <param name="target">Nothing is read of it, so that it need not be there yet; null: nothing to fetch.</param>
    /// <param name="count">Lines from its beginning.</param>
    public static void Fetch(object? target, int count)
    {
        if (target is null || !IsSupported)
            return;

        // The collector may move it meanwhile: then another line is fetched in vain, and no harm is done.
        byte* start = (byte*)Unsafe.As<object?, nint>(ref target);
        for (int i = 0; i < count; i++)
            Sse.Prefetch0(start + (i * Length));
    }
}
